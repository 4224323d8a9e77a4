/** Alive: the process answers. Says nothing about the gateway, whose absence the pages cope with. */
export function GET(): Response {
  return Response.json({ status: 'ok' });
}
