import type { Receipts, RecommenderEvents } from '@tutti/client/sdk';

/** What the panel needs of a recommender; either SDK's has it. */
export interface ReceiptSource {
  receipts(): Promise<Receipts>;
  on(type: 'receipt', listener: (event: RecommenderEvents['receipt']) => void): () => void;
}

/** The panel, once it is defined. */
export interface ReceiptsElement extends HTMLElement {
  recommender: ReceiptSource | undefined;
}

const STYLE = `
:host { display: block; font: inherit; color-scheme: light dark }
h2 { font-size: 1.1em; margin: 0 0 .5em }
ol { list-style: none; margin: 0; padding: 0 }
li { padding: .6em 0; border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent) }
p { margin: 0 0 .6em }
`;

/** Receipts that the panel shows. */
const MOST_SHOWN = 20;

/**
 * Defines `<tutti-receipts>`: what left this device, in words. Give it a recommender: `element.recommender = tutti`. Its text is
 * announced politely when something new left; colours and font are the page's.
 */
export function defineReceiptsElement(name = 'tutti-receipts'): void {
  if (customElements.get(name) !== undefined) return;
  customElements.define(name, elementClass());
}

// The class is made when it is asked for: in Node there is no HTMLElement to extend.
function elementClass(): CustomElementConstructor {
  return class extends HTMLElement implements ReceiptsElement {
    #source: ReceiptSource | undefined;
    #unlisten: () => void = () => undefined;
    readonly #list = document.createElement('ol');
    readonly #summary = document.createElement('p');

    get recommender(): ReceiptSource | undefined {
      return this.#source;
    }

    set recommender(source: ReceiptSource | undefined) {
      this.#unlisten();
      this.#source = source;
      if (this.isConnected) this.#listen();
    }

    connectedCallback(): void {
      // A page may have set it before the element was defined; it stands before the setter then.
      const early = Object.getOwnPropertyDescriptor(this, 'recommender') as
        { value?: ReceiptSource } | undefined;
      if (early !== undefined) {
        Reflect.deleteProperty(this, 'recommender');
        this.recommender = early.value;
      }
      if (this.shadowRoot === null) this.#draw(this.attachShadow({ mode: 'open' }));
      this.#listen();
    }

    disconnectedCallback(): void {
      this.#unlisten();
    }

    #draw(root: ShadowRoot): void {
      const style = new CSSStyleSheet();
      style.replaceSync(STYLE);
      root.adoptedStyleSheets = [style];
      const section = document.createElement('section');
      const heading = document.createElement('h2');
      heading.id = 'title';
      heading.textContent = this.getAttribute('heading') ?? 'What left this device';
      section.setAttribute('aria-labelledby', heading.id);
      this.#summary.setAttribute('role', 'status');
      section.append(heading, this.#summary, this.#list);
      root.append(section);
    }

    #listen(): void {
      this.#unlisten();
      const show = (): void => void this.#show().catch(() => undefined);
      const source = this.#source;
      this.#unlisten = source === undefined ? () => undefined : source.on('receipt', show);
      show();
    }

    async #show(): Promise<void> {
      const receipts = await this.#source?.receipts();
      // Of nobody nothing is known.
      if (receipts === undefined) {
        this.#summary.textContent = '';
        this.#list.replaceChildren();
        return;
      }
      const list = receipts.list.slice(0, MOST_SHOWN);
      const { updates } = receipts.total;
      this.#summary.textContent =
        updates === 0
          ? 'Nothing that you did here has left this device.'
          : `This device took part ${updates === 1 ? 'once' : `${updates} times`}. What you liked stays here.`;
      this.#list.replaceChildren(
        ...list.map(({ text }) => {
          const item = document.createElement('li');
          item.textContent = text;
          return item;
        }),
      );
    }
  };
}
