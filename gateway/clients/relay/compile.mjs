// Relay's compiler over the schema that the gateway shows: artifacts, and the map from document ids to texts.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { buildClientSchema, getIntrospectionQuery, printSchema } from 'graphql';
import compiler from 'relay-compiler';

/** Compiles `app.js` to `folder/relay`; gives the file with the documents. */
export async function compileRelay(url, folder) {
  const source = path.join(folder, 'relay');
  mkdirSync(source);
  const body = JSON.stringify({ query: getIntrospectionQuery() });
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  writeFileSync(
    path.join(folder, 'client.graphql'),
    printSchema(buildClientSchema((await answer.json()).data)),
  );
  copyFileSync('relay/app.js', path.join(source, 'app.js'));
  writeFileSync(path.join(source, 'package.json'), '{"type":"module"}');
  const manifest = path.join(folder, 'documents.json');
  // The compiler adds to it.
  writeFileSync(manifest, '{}');
  const config = {
    root: '.',
    sources: { relay: 'app' },
    projects: {
      app: {
        schema: 'client.graphql',
        language: 'javascript',
        eagerEsModules: true,
        persist: { file: manifest },
      },
    },
  };
  const file = path.join(folder, 'relay.config.json');
  writeFileSync(file, JSON.stringify(config));
  const done = spawnSync(compiler, [file], { cwd: folder, encoding: 'utf8' });
  if (done.status !== 0)
    throw new Error(`relay-compiler: ${done.error ?? done.stdout + done.stderr}`);
  return manifest;
}
