// The standalone build leaves out static files; put them where its server looks for them.
import { cpSync, existsSync, rmSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const target = path.join(root, '.next/standalone');
const copies = [
  ['.next/static', '.next/static'],
  ['public', 'public'],
];

for (const [from, to] of copies) {
  const source = path.join(root, from);
  if (!existsSync(source)) continue;
  rmSync(path.join(target, to), { recursive: true, force: true });
  cpSync(source, path.join(target, to), { recursive: true });
}
