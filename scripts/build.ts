/**
 * Makes what the published package runs: the sources as a few files of plain JavaScript in `dist/lib`.
 *
 *   node scripts/build.ts [FOLDER]     FOLDER is emptied; default dist
 *
 * - One file instead of a thousand: most of a start went into finding and reading modules. CommonJS, since importing
 *   node:http as a module makes Node.js load all of its fetch, which a start has no use for.
 * - Libraries that talk to the network stay outside and are installed beside: a fix of theirs needs no release of ours.
 *   What is put inside keeps its licence in LICENSES.txt.
 * - Everything lies in one folder: the journal's threads are found beside the code that starts them.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const INPUT = {
  main: 'src/cli/main.ts',
  'sqlite-worker': 'src/journal/sqlite-worker.ts',
  'reader-worker': 'src/journal/reader-worker.ts',
  'sim-worker': 'src/sim/worker.ts',
  'dead-man-program': 'src/guard/dead-man/dead-man-program.ts',
};
const LICENSE_FILE = /^(licen[cs]e|copying|notice)/i;

/** Packages that the package asks npm for and finds at run time. */
export const OUTSIDE = [
  '@aws-sdk/client-route-53',
  '@clickhouse/client',
  '@fastify/swagger',
  'fastify',
  'nats',
  'pg',
  'pino',
];

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** Throws on anything the bundler has to say: a package that warns at its making is not published. */
export async function build(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  const bundle = await rolldown({
    cwd: ROOT,
    input: INPUT,
    platform: 'node',
    external: (id) => isBuiltin(id) || OUTSIDE.includes(packageOf(id)),
    onLog: (_level, log) => {
      throw new Error(`the bundler says: ${log.message}`);
    },
  });
  try {
    const { output } = await bundle.write({
      dir: join(folder, 'lib'),
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name]-[hash].cjs',
      // Comments and names stay as they are written: a stack trace is read by people.
      minify: false,
    });
    const inside = output.flatMap((file) => (file.type === 'chunk' ? Object.keys(file.modules) : []));
    writeFileSync(join(folder, 'LICENSES.txt'), licences(inside));
  } finally {
    await bundle.close();
  }
}

/** The licence texts of every package that a part of was put inside. */
function licences(modules: readonly string[]): string {
  const homes = new Set(modules.filter((id) => id.includes('/node_modules/')).map(homeOf));
  const texts = [...homes].sort().map((home) => {
    const { name, version, license }: Manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
    const files = readdirSync(home).filter((file) => LICENSE_FILE.test(file));
    if (files.length === 0) throw new Error(`${name} brings no licence text: keep it outside`);
    const text = files.map((file) => readFileSync(join(home, file), 'utf8').trim()).join('\n\n');
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return `failoverd contains parts of these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

type Manifest = { readonly name: string; readonly version: string; readonly license: string };

/** The folder of the package a file belongs to; a package may have further manifests inside, without a name. */
function homeOf(file: string): string {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && 'version' in JSON.parse(readFileSync(manifest, 'utf8'))) return folder;
  }
  throw new Error(`${file} belongs to no package`);
}

const [, script, folder = join(ROOT, 'dist')] = process.argv;
if (script !== undefined && pathToFileURL(script).href === import.meta.url) await build(resolve(folder));
