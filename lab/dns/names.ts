/**
 * Domain names in Route 53's form: lower case, a trailing dot, and every octet outside `a-z 0-9 - _` as `\ooo`
 * (so that a wildcard is `\052.example.com.`), whichever way the caller wrote them.
 */

const plainOctet = /^[a-z0-9_-]$/;
const maxLabelOctets = 63;
const maxNameOctets = 255;

export type NameProblem = 'DomainLabelEmpty' | 'DomainLabelTooLong' | 'DomainNameTooLong';

/** Splits at dots that are not escaped; each label comes back as its raw octets, lower-cased. */
function rawLabels(name: string): string[] {
  const labels: string[] = [];
  let label = '';
  for (let at = 0; at < name.length; at += 1) {
    const octal = name[at] === '\\' ? /^\\([0-3][0-7]{2})/.exec(name.slice(at, at + 4)) : null;
    if (octal !== null) {
      label += String.fromCharCode(Number.parseInt(octal[1] ?? '', 8));
      at += 3;
    } else if (name[at] === '.') {
      labels.push(label);
      label = '';
    } else {
      label += name[at];
    }
  }
  if (label !== '') labels.push(label);
  return labels.map((raw) => raw.toLowerCase());
}

function escapeLabel(raw: string): string {
  return [...raw]
    .map((octet) => (plainOctet.test(octet) ? octet : `\\${octet.charCodeAt(0).toString(8).padStart(3, '0')}`))
    .join('');
}

/** The name as Route 53 keeps and returns it. Never fails: ask `nameProblem` whether it is a name at all. */
export function normaliseName(name: string): string {
  if (name === '' || name === '.') return '.';
  return `${rawLabels(name).map(escapeLabel).join('.')}.`;
}

export function nameProblem(name: string): NameProblem | null {
  const labels = rawLabels(name);
  if (labels.length === 0 || labels.includes('')) return 'DomainLabelEmpty';
  if (labels.some((label) => label.length > maxLabelOctets)) return 'DomainLabelTooLong';
  const octets = labels.reduce((sum, label) => sum + label.length + 1, 1);
  return octets > maxNameOctets ? 'DomainNameTooLong' : null;
}

/** The labels of a normalised name, leftmost first, still escaped. */
export function labelsOf(name: string): string[] {
  return name === '.' ? [] : name.slice(0, -1).split('.');
}

/** `www.example.com.` is `example.com.` again, then `com.`, then `.`; the root has no parent. */
export function parentOf(name: string): string | null {
  if (name === '.') return null;
  const rest = labelsOf(name).slice(1);
  return rest.length === 0 ? '.' : `${rest.join('.')}.`;
}

export function isAtOrBelow(name: string, ancestor: string): boolean {
  return ancestor === '.' || name === ancestor || name.endsWith(`.${ancestor}`);
}

/** `com.example.www.`: Route 53 lists record sets in ASCII order of this, with the trailing dot counting. */
export function reversedName(name: string): string {
  return `${labelsOf(name).reverse().join('.')}.`;
}

/** The octets a DNS message carries: escapes undone, no trailing dot. */
export function wireName(name: string): string {
  return rawLabels(name).join('.');
}
