// Where the storefront lives and where the gateway is, from the environment.

/** Public address of the storefront, without a trailing slash. Canonical links and JSON-LD use it. */
export function siteOrigin(): string {
  const configured = process.env.WEB_ORIGIN?.replace(/\/+$/, '');
  return configured || `http://localhost:${process.env.PORT ?? '3000'}`;
}

/** Cookies are marked Secure wherever the public address is https. */
export function cookiesSecure(): boolean {
  return siteOrigin().startsWith('https://');
}

export function gatewayUrl(): string {
  return process.env.GATEWAY_URL || 'http://127.0.0.1:4000/graphql';
}
