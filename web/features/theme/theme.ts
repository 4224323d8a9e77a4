// Light, dark, or what the system says. The choice is a cookie, so the server renders it and nothing flashes.

export const themeCookie = 'kopitiam_theme';
export type Theme = 'system' | 'light' | 'dark';

export function readTheme(value: string | undefined): Theme {
  return value === 'light' || value === 'dark' ? value : 'system';
}
