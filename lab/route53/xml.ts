import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { ApiError, invalidInput } from './errors.ts';

/** REST-XML in and out. Text is kept to the letter: a TXT value with spaces at its ends is another value. */

export interface XmlElement {
  readonly [name: string]: XmlContent;
}
export type XmlContent = string | XmlElement | readonly (string | XmlElement)[];

const namespace = 'https://route53.amazonaws.com/doc/2013-04-01/';
const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: false,
  // Numeric character references (`&#xA;`), which the SDK writes, count as HTML entities here.
  htmlEntities: true,
});

/** The content of the root element, which must be `root`. */
export function parseXml(body: string, root: string): XmlElement {
  if (XMLValidator.validate(body) !== true) throw new ApiError('MalformedInput', 'Invalid XML');
  const document = parser.parse(body) as XmlElement;
  const content = document[root];
  if (content === undefined) throw new ApiError('MalformedInput', `Unexpected root element, expected ${root}`);
  return asElement(content, root);
}

function asElement(content: XmlContent, name: string): XmlElement {
  // An element with nothing in it is parsed as the empty string.
  if (typeof content === 'string' && content.trim() === '') return {};
  if (typeof content === 'string' || Array.isArray(content)) {
    throw invalidInput(`Invalid XML ; the content of element '${name}' is not valid.`);
  }
  return content as XmlElement;
}

export function childOf(element: XmlElement, name: string): XmlElement | null {
  const content = element[name];
  return content === undefined ? null : asElement(content, name);
}

export function textOf(element: XmlElement, name: string): string | null {
  const content = element[name];
  if (content === undefined) return null;
  if (typeof content !== 'string') {
    throw invalidInput(`Invalid XML ; the content of element '${name}' is not valid.`);
  }
  return content;
}

export function requiredText(element: XmlElement, name: string): string {
  const text = textOf(element, name);
  if (text === null) throw invalidInput(`Invalid XML ; element '${name}' is expected.`);
  return text;
}

export function integerOf(element: XmlElement, name: string): number | null {
  const text = textOf(element, name)?.trim();
  if (text === undefined) return null;
  if (!/^-?\d{1,15}$/.test(text)) throw invalidInput(`Invalid XML ; '${text}' is not a valid value for '${name}'.`);
  return Number(text);
}

export function booleanOf(element: XmlElement, name: string): boolean | null {
  const text = textOf(element, name)?.trim();
  if (text === undefined) return null;
  if (text !== 'true' && text !== 'false') {
    throw invalidInput(`Invalid XML ; '${text}' is not a valid value for '${name}'.`);
  }
  return text === 'true';
}

/** The `member` children of the list element `list`; `null` when the list isn't there at all. */
export function elementsIn(element: XmlElement, list: string, member: string): XmlElement[] | null {
  const content = childOf(element, list)?.[member];
  if (content === undefined) return element[list] === undefined ? null : [];
  const members = Array.isArray(content) ? content : [content];
  return members.map((item: XmlContent) => asElement(item, member));
}

export function textsIn(element: XmlElement, list: string, member: string): string[] | null {
  const content = childOf(element, list)?.[member];
  if (content === undefined) return element[list] === undefined ? null : [];
  const members: readonly XmlContent[] =
    typeof content === 'string' ? [content] : Array.isArray(content) ? content : [];
  return members.filter((item): item is string => typeof item === 'string');
}

/** A node to be written: absent values are left out, arrays are repeated. */
export type XmlNode = { readonly [name: string]: XmlValue };
export type XmlValue = string | number | boolean | undefined | XmlNode | readonly XmlValue[];

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}

function write(name: string, value: XmlValue): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map((item: XmlValue) => write(name, item)).join('');
  if (typeof value === 'object') return `<${name}>${writeChildren(value as XmlNode)}</${name}>`;
  return `<${name}>${escapeText(String(value))}</${name}>`;
}

function writeChildren(node: XmlNode): string {
  return Object.entries(node)
    .map(([name, value]) => write(name, value))
    .join('');
}

export function renderXml(root: string, node: XmlNode): string {
  return `<?xml version="1.0"?>\n<${root} xmlns="${namespace}">${writeChildren(node)}</${root}>`;
}

export function renderError(error: ApiError, requestId: string): string {
  const type = error.status >= 500 ? 'Receiver' : 'Sender';
  return renderXml('ErrorResponse', {
    Error: { Type: type, Code: error.code, Message: error.message },
    RequestId: requestId,
  });
}
