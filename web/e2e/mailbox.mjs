// The letters that the shop of this test run wrote (MAILBOX), as a reader of mail would use them.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { patienceMs } from './browser.mjs';

const folder = process.env.MAILBOX;

/** Waits for the letter to `email` that has a link to `page`, and answers where it leads: path and query. */
export async function linkFor(email, page, without = []) {
  if (!folder) throw new Error('MAILBOX names no folder');
  for (const started = Date.now(); Date.now() - started < patienceMs; await pause(100)) {
    for (const file of await letters()) {
      const text = decoded(await readFile(path.join(folder, file), 'utf8'));
      const link = new RegExp(`https?://[^\\s"<>]+(${page}\\?[^\\s"<>]+)`).exec(text);
      if (link && text.includes(email) && !without.includes(link[1])) return link[1];
    }
  }
  throw new Error(`no letter to ${email} with a link to ${page}`);
}

async function letters() {
  const files = await readdir(folder).catch(() => []);
  return files
    .filter((file) => file.endsWith('.eml'))
    .sort()
    .reverse();
}

/** Quoted-printable as far as links need it. */
function decoded(text) {
  return text
    .replace(/=\r?\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
