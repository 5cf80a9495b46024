/** What went wrong, with the first few and the last in words. */
const KEPT_MAX = 40;

export class Failures {
  count = 0;
  readonly first: string[] = [];
  last = '';

  add(text: string): void {
    this.count++;
    this.last = `${new Date().toISOString().slice(11, 23)} ${text}`;
    if (this.first.length < KEPT_MAX) this.first.push(this.last);
  }
}
