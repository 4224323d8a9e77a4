// Where to go after signing in, when the address itself says so.

/** A path on this site, or the fallback: never another host, however it is spelled. */
export function safePath(wanted: unknown, fallback = '/'): string {
  if (typeof wanted !== 'string' || !wanted.startsWith('/')) return fallback;
  // Browsers read `\` as `/` and drop tabs and line breaks, so `/\host` and `/<tab>/host` mean `//host`.
  if (/[\\\u0000-\u001f]/.test(wanted) || wanted.startsWith('//')) return fallback;
  return wanted;
}
