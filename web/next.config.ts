import path from 'node:path';
import type { NextConfig } from 'next';

const root = path.resolve(import.meta.dirname);

const config: NextConfig = {
  output: 'standalone',
  outputFileTracingRoot: root,
  turbopack: { root },
  poweredByHeader: false,
  reactStrictMode: true,
  // Pictures are SVG made by our own route; there is nothing to resize.
  images: { unoptimized: true },
  headers: () =>
    Promise.resolve([
      {
        source: '/:path*',
        headers: [
          { key: 'x-content-type-options', value: 'nosniff' },
          { key: 'x-frame-options', value: 'DENY' },
          { key: 'referrer-policy', value: 'strict-origin-when-cross-origin' },
          { key: 'cross-origin-opener-policy', value: 'same-origin' },
          {
            key: 'permissions-policy',
            value: 'camera=(), microphone=(), geolocation=(), payment=()',
          },
          // Browsers obey this over https only, so it is harmless on a developer's machine.
          { key: 'strict-transport-security', value: 'max-age=31536000; includeSubDomains' },
        ],
      },
    ]),
  allowedDevOrigins: ['127.0.0.1'],
};

export default config;
