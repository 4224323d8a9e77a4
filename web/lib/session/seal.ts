// Seals a small value into a cookie that the browser can keep but neither read nor change.
//
// AES-256-GCM under a key derived from SESSION_SECRET. A value that does not open (other key, changed, cut)
// is no session at all: opening answers null and never throws.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const ivBytes = 12;
const tagBytes = 16;

export type SealKey = Buffer;

/** Key for sealing, from a secret of any length; equal secrets give equal keys. */
export function sealKey(secret: string): SealKey {
  if (secret.length < 16) throw new RangeError('SESSION_SECRET needs at least 16 characters');
  return Buffer.from(hkdfSync('sha256', secret, 'kopitiam-web', 'session-cookie-v1', 32));
}

export function seal(value: unknown, key: SealKey): string {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes });
  const body = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url');
}

export function unseal(text: string, key: SealKey): unknown {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length <= ivBytes + tagBytes) return null;
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, ivBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
  try {
    const body = Buffer.concat([
      decipher.update(bytes.subarray(ivBytes + tagBytes)),
      decipher.final(),
    ]);
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}
