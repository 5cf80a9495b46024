/** The little that is used of jsdom. Its own types bring those of the browser with them, which would then stand in the whole project. */
declare module 'jsdom' {
  export interface DrawnElement {
    textContent: string | null;
    setAttribute(name: string, value: string): void;
    append(...elements: DrawnElement[]): void;
    readonly outerHTML: string;
  }

  export interface DrawingDocument {
    createElementNS(namespace: string, name: string): DrawnElement;
  }

  export class JSDOM {
    constructor(html: string);
    readonly window: { readonly document: DrawingDocument };
  }
}
