/** What went wrong, with the first few in words. */
const KEPT_MAX = 40;

export class Failures {
  count = 0;
  readonly first: string[] = [];

  add(text: string): void {
    this.count++;
    if (this.first.length < KEPT_MAX) this.first.push(`${new Date().toISOString().slice(11, 23)} ${text}`);
  }
}
