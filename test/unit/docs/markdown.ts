/** As much of Markdown as the documents here use: headings, tables, code spans, code blocks, links. */
import { globSync, readFileSync } from 'node:fs';

/** One table row, by the column's header. */
export type Row = Readonly<Record<string, string>>;

export interface Section {
  readonly title: string;
  readonly level: number;
  /** What stands below the heading, up to the next heading of any level. */
  readonly text: string;
}

/** Every document that is for readers of this repository, relative to its root, where tests run. */
export function documentPaths(): string[] {
  return globSync(['*.md', 'docs/**/*.md', '{coredns,manifests,monitoring}/*.md']).sort();
}

export function readDocument(path: string): string {
  return readFileSync(path, 'utf8');
}

export function sectionsOf(text: string): Section[] {
  const parts = withoutBlocks(text).split(/^(#{1,6}) +(.+)$/m);
  const sections: Section[] = [];
  for (let index = 1; index + 2 < parts.length; index += 3) {
    sections.push({
      level: parts[index]?.length ?? 0,
      title: parts[index + 1]?.trim() ?? '',
      text: parts[index + 2] ?? '',
    });
  }
  return sections;
}

/** @throws when there is none: a test on a heading that was renamed must not pass. */
export function sectionOf(text: string, title: string): Section {
  const found = sectionsOf(text).find((section) => section.title === title);
  if (found === undefined) throw new Error(`there is no section ${JSON.stringify(title)}`);
  return found;
}

/** The rows of all tables in a text; cells without surrounding space. */
export function rowsOf(text: string): Row[] {
  const tables = withoutBlocks(text).match(/(?:^\|.*\|[ ]*$\n?)+/gm) ?? [];
  return tables.flatMap((table) => {
    const [header = [], , ...rows] = table.trim().split('\n').map(cellsOf);
    return rows.map((cells) => Object.fromEntries(header.map((name, index) => [name, cells[index] ?? ''])));
  });
}

/** A `|` inside a cell is written `\|`, also in code (GitHub's tables). */
function cellsOf(line: string): string[] {
  return line
    .trim()
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

/** The one code span that a cell consists of. @throws when it does not. */
export function codeOf(cell: string): string {
  const code = /^`([^`]+)`$/.exec(cell)?.[1];
  if (code === undefined) throw new Error(`not a code span: ${cell}`);
  return code;
}

export function codeSpansOf(text: string): string[] {
  return [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

export function codeBlocksOf(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(([, name, block = '']) =>
    name === language ? [block] : [],
  );
}

/** Targets of links that are files of this repository, without their anchors. */
export function linkTargetsOf(text: string): string[] {
  const targets = [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => !/^[a-z]+:|^#/.test(target)).map((target) => target.split('#')[0] ?? '');
}

function withoutBlocks(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '');
}
