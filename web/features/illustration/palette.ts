// Colour sets of the generated product pictures, and the hash that gives each slug the same one for ever.

export type Palette = {
  wall: string;
  sun: string;
  table: string;
  main: string;
  deep: string;
  accent: string;
  light: string;
};

const first: Palette = {
  wall: '#f7e8d0',
  sun: '#f1c889',
  table: '#c08a58',
  main: '#a8461f',
  deep: '#43281a',
  accent: '#1f6b4f',
  light: '#fff7e8',
};

const palettes: readonly Palette[] = [
  first,
  {
    wall: '#dbeadb',
    sun: '#f5d99a',
    table: '#9a6a45',
    main: '#1f6b4f',
    deep: '#173a2c',
    accent: '#dd7a30',
    light: '#fdf6e6',
  },
  {
    wall: '#f8ddcf',
    sun: '#eda781',
    table: '#9c573d',
    main: '#24566a',
    deep: '#14313d',
    accent: '#eab83f',
    light: '#fff3e6',
  },
  {
    wall: '#d6e8e6',
    sun: '#f7c38a',
    table: '#8a6246',
    main: '#bb4b2c',
    deep: '#4a2016',
    accent: '#1e6973',
    light: '#fdf7ec',
  },
  {
    wall: '#f9e7ba',
    sun: '#ee9150',
    table: '#93633f',
    main: '#2c5f80',
    deep: '#17334a',
    accent: '#b24621',
    light: '#fffaf0',
  },
  {
    wall: '#ecdfe9',
    sun: '#f5b88d',
    table: '#85563f',
    main: '#7a4161',
    deep: '#3d1f33',
    accent: '#2e7d67',
    light: '#fdf4ee',
  },
];

/** FNV-1a, 32 bits: small, stable across runs and machines. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash;
}

export function paletteOf(hash: number): Palette {
  return palettes[hash % palettes.length] ?? first;
}
