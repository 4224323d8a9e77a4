import coreWebVitals from 'eslint-config-next/core-web-vitals';
import typescript from 'eslint-config-next/typescript';

const config = [
  {
    ignores: [
      '.next/**',
      'node_modules/**',
      'next-env.d.ts',
      'graphql/generated.ts',
      'e2e/output/**',
    ],
  },
  ...coreWebVitals,
  ...typescript,
  {
    rules: {
      'max-lines': ['error', 600],
      'max-lines-per-function': ['error', { max: 120, skipComments: true, skipBlankLines: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      eqeqeq: ['error', 'always'],
      'no-console': ['error', { allow: ['error', 'warn'] }],
      // Product pictures are generated SVG of fixed size: the optimiser has nothing to do.
      '@next/next/no-img-element': 'off',
    },
  },
  {
    // Routes compose features; a feature never reaches back into a route.
    files: ['features/**', 'ui/**', 'lib/**', 'graphql/**'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['@/app/*'] }] },
  },
  { files: ['e2e/**', '*.mjs', 'scripts/**'], rules: { 'no-console': 'off' } },
];

export default config;
