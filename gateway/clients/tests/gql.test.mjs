// gql, the Python client: `gql/client_test.py` in a virtual environment that `run.mjs` makes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const python = process.env.GATEWAY_PYTHON;

test('gql for Python', { skip: python ? false : 'python3 or its venv module is missing' }, () => {
  const run = spawnSync(python, ['-m', 'unittest', 'client_test.py'], {
    cwd: 'gql',
    encoding: 'utf8',
  });
  assert.equal(run.status, 0, run.stdout + run.stderr);
});
