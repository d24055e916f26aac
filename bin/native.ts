// Sees to it that ssh2 has its ciphers in C++; without them it falls back to JavaScript in silence, at a tenth of the
// speed. npm builds them against the headers that `.npmrc` names, which are those of x64. Where that came to nothing, on
// another processor or under another configuration, they are built again for the Node that runs this.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const headers = path.join(path.dirname(process.execPath), '..');

function loads(): boolean {
  try {
    createRequire(import.meta.url)('ssh2/lib/protocol/crypto/build/Release/sshcrypto.node');
    return true;
  } catch {
    return false;
  }
}

if (!loads() && existsSync(path.join(headers, 'include', 'node', 'node.h'))) {
  spawnSync('npm', ['rebuild', 'ssh2', `--nodedir=${headers}`], { cwd: root, stdio: 'ignore' });
}
if (!loads()) {
  process.stderr.write(
    'ssh2 goes without its native ciphers; building them takes a C++ compiler, make and Python: npm rebuild ssh2\n',
  );
}
