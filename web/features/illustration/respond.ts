// Answers a request for a generated picture.
import { drawPicture } from './picture';

const filePattern = /^([a-z0-9][a-z0-9-]{0,119})(?:~([1-9]))?\.svg$/;

/** `file` is `<slug>.svg`, or `<slug>~2.svg` for another view of the same thing. */
export function pictureResponse(file: string): Response {
  const match = filePattern.exec(file);
  if (!match?.[1]) return new Response('Not found', { status: 404 });
  const variant = match[2] ? Number(match[2]) - 1 : 0;
  return new Response(drawPicture(match[1], variant), {
    headers: {
      'content-type': 'image/svg+xml; charset=utf-8',
      'cache-control': 'public, max-age=86400, stale-while-revalidate=604800',
      // Opened on its own, the picture may run nothing.
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    },
  });
}
