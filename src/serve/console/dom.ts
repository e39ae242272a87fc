// Elements from words. Whatever is shown came over the wire or from a stranger's hand, so text only
// ever becomes text: there is no way here from a string to markup.

export type Child = Node | string | number | null | undefined | false;
type Value = string | number | boolean | ((event: Event) => void) | null | undefined;
export type Props = Readonly<Record<string, Value>>;

/** An HTML element; functions are listeners, `true` is an attribute without a value. */
export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  return fill(document.createElement(name), props, children);
}

/** The same for SVG. */
export function svg<Name extends keyof SVGElementTagNameMap>(
  name: Name,
  props: Props = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Name] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), props, children);
}

function fill<Made extends Element>(element: Made, props: Props, children: readonly Child[]): Made {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  put(element, ...children);
  return element;
}

/** Appends children; what is null or false is left out. */
export function put(element: Element, ...children: readonly Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Puts these children in the place of those before. */
export function replace(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren();
  put(element, ...children);
}

/**
 * Brings the children of an element in line with `items`, and keeps those that stay: with them the
 * focus of whoever works with the keyboard. `key` says everything that is shown of an item.
 */
export function keep<Item>(
  element: Element,
  items: readonly Item[],
  key: (item: Item) => string,
  make: (item: Item) => Element,
): void {
  const before = new Map<string, Element>();
  for (const child of element.children) before.set(child.getAttribute('data-key') ?? '', child);
  const wanted = items.map((item) => {
    const name = key(item);
    const kept = before.get(name);
    before.delete(name);
    if (kept !== undefined) return kept;
    const made = make(item);
    made.setAttribute('data-key', name);
    return made;
  });
  for (const gone of before.values()) gone.remove();
  wanted.forEach((child, at) => {
    if (element.children[at] !== child) element.insertBefore(child, element.children[at] ?? null);
  });
}

/** Writes a text where it differs: a screen reader is not told the same again. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
