// A small XML reader for what routers send. Of the packages this project has, none reads XML, and one that does would
// bring entities, namespaces and validation into reach of whatever box answers. This one reads elements and their
// text, within bounds; a document type, the door of every XML bomb, ends it.

export interface XmlElement {
  /** Without the namespace prefix. */
  readonly name: string;
  readonly children: readonly XmlElement[];
  /** Own text, entities resolved, trimmed. */
  readonly text: string;
}

const maxDepth = 32;
const maxElements = 5000;
const maxChars = 256 * 1024;

const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

class XmlError extends Error {}

function resolveEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos));/gi, (whole, dec, hex, name) => {
    if (name !== undefined) return named[name.toLowerCase()] ?? whole;
    const point = dec === undefined ? Number.parseInt(hex, 16) : Number(dec);
    return point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd';
  });
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

interface Open {
  readonly qualified: string;
  readonly children: XmlElement[];
  text: string;
}

/**
 * Reads a document and returns its root element.
 * @returns null when it is not well formed, uses a document type, or is larger than any router's honest answer
 */
export function parseXml(source: string): XmlElement | null {
  if (source.length > maxChars) return null;
  try {
    return read(source);
  } catch (error) {
    if (error instanceof XmlError) return null;
    throw error;
  }
}

function read(source: string): XmlElement {
  const stack: Open[] = [{ qualified: '', children: [], text: '' }];
  let elements = 0;
  let at = 0;
  const skipPast = (mark: string, from: number): number => {
    const end = source.indexOf(mark, from);
    if (end < 0) throw new XmlError(`no ${mark}`);
    return end + mark.length;
  };
  const top = () => stack[stack.length - 1] as Open;
  const close = () => {
    const done = stack.pop() as Open;
    top().children.push({
      name: done.qualified.slice(done.qualified.indexOf(':') + 1),
      children: done.children,
      text: done.text.trim(),
    });
  };
  while (at < source.length) {
    const next = source.indexOf('<', at);
    top().text += resolveEntities(source.slice(at, next < 0 ? source.length : next));
    if (next < 0) break;
    if (source.startsWith('<!--', next)) {
      at = skipPast('-->', next + 4);
    } else if (source.startsWith('<![CDATA[', next)) {
      at = skipPast(']]>', next + 9);
      top().text += source.slice(next + 9, at - 3);
    } else if (source.startsWith('<?', next)) {
      at = skipPast('?>', next + 2);
    } else if (source.startsWith('<!', next)) {
      throw new XmlError('document type');
    } else {
      at = tagEnd(source, next);
      const tag = /^<(\/?)([A-Za-z_][\w.:-]{0,127})(?=\s|$)/.exec(source.slice(next, at - 1).replace(/\/$/, ''));
      if (tag === null) throw new XmlError('bad tag');
      const qualified = tag[2] as string;
      if (tag[1] === '/') {
        if (stack.length < 2 || top().qualified !== qualified) throw new XmlError('tags cross');
        close();
      } else {
        if (++elements > maxElements || stack.length > maxDepth) throw new XmlError('too much');
        stack.push({ qualified, children: [], text: '' });
        if (source[at - 2] === '/') close();
      }
    }
  }
  const [root] = top().children;
  if (stack.length !== 1 || root === undefined || top().children.length !== 1) throw new XmlError('no single root');
  return root;
}

/** Place after the `>` of the tag that starts at `from`; one inside quotes does not count. */
function tagEnd(source: string, from: number): number {
  let quote = '';
  for (let i = from + 1; i < source.length; i++) {
    const c = source[i] as string;
    if (quote !== '') {
      if (c === quote) quote = '';
    } else if (c === '"' || c === "'") {
      quote = c;
    } else if (c === '>') {
      return i + 1;
    } else if (c === '<') {
      break;
    }
  }
  throw new XmlError('open tag');
}

/** Every element of that name, the root included, in document order. */
export function findAll(root: XmlElement, name: string): XmlElement[] {
  const found: XmlElement[] = [];
  const visit = (element: XmlElement) => {
    if (element.name === name) found.push(element);
    element.children.forEach(visit);
  };
  visit(root);
  return found;
}

/** Text of the first child of that name, whatever its case; null when there is none. */
export function childText(element: XmlElement, name: string): string | null {
  return element.children.find((child) => child.name.toLowerCase() === name.toLowerCase())?.text ?? null;
}
