/** The program as one ESM file, beside the files that it reads while it runs. */
import { readFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
/** Where a process or a thread begins: the program; its workers and the threads of DNS, which need a tenth of it. */
export type Entry = 'src/main.ts' | 'src/gateway/workers/entry.ts' | 'src/dns/thread-entry.ts';
/** What CommonJS packages expect to find, and where a source file was: see {@link keepPlaces}. */
const BANNER = `import { createRequire as __createRequire } from 'node:module';
const require = __createRequire(import.meta.url);
const __placeOf = (file) => new URL(file, import.meta.url).href;`;
const FILE_BESIDE = /new URL\(\s*'(?<path>\.[^']*)',\s*import\.meta\.url\)/g;

export interface Bundle {
  readonly text: string;
  /** Files and folders that the sources name relative to themselves; from the root of the project. */
  readonly needs: readonly string[];
  /** Folders of the packages that are in it, from the root of the project. */
  readonly packages: readonly string[];
}

/** The same sources give the same bytes. */
export async function bundleProgram(entry: Entry): Promise<Bundle> {
  const needs = new Set<string>();
  const { outputFiles, metafile } = await build({
    absWorkingDir: PROJECT,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    // V8 keeps the text for as long as the process lives, half of it indentation and comments. Names stay, for stack traces.
    minifyWhitespace: true,
    banner: { js: BANNER },
    legalComments: 'inline',
    logLevel: 'warning',
    plugins: [keepPlaces(needs)],
  });
  const inputs = Object.keys(metafile.inputs);
  const packages = new Set(inputs.map((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]));
  return {
    text: toLatin1(outputFiles[0]?.text ?? ''),
    needs: [...needs].sort(),
    packages: [...packages].filter((folder) => folder !== undefined).sort(),
  };
}

/**
 * esbuild escapes what is not ASCII, but for comments. One character beyond Latin-1 there makes V8 keep the whole text with two
 * bytes for each: 6 MB in every process.
 */
function toLatin1(text: string): string {
  const isComment = /^\s*(?:\/\/|\/\*|\*)/;
  const beyond = /[^\u0000-\u00ff]/g;
  return text
    .split('\n')
    .map((line) => (isComment.test(line) ? line.replace(beyond, '?') : line))
    .join('\n');
}

/**
 * In one file every module would be at the same place. Each keeps its own, below the folder of the bundle, so that
 * `new URL('../../../crds/', import.meta.url)` means the `crds` beside the bundle.
 */
function keepPlaces(needs: Set<string>): Plugin {
  return {
    name: 'keep-places',
    setup(esbuild) {
      esbuild.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const file = relative(PROJECT, path);
        if (!file.startsWith('src/')) return undefined;
        const text = await readFile(path, 'utf8');
        for (const { groups } of text.matchAll(FILE_BESIDE)) {
          needs.add(relative(PROJECT, resolve(dirname(path), groups?.['path'] ?? '')));
        }
        return { contents: text.replaceAll('import.meta.url', `__placeOf(${JSON.stringify(file)})`), loader: 'ts' };
      });
    },
  };
}
