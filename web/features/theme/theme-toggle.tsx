'use client';
import { useState } from 'react';
import { Icon } from '@/ui/icon';
import { themeCookie, type Theme } from './theme';

const order: Theme[] = ['system', 'light', 'dark'];
const labels: Record<Theme, string> = {
  system: 'Colours follow your device',
  light: 'Light colours',
  dark: 'Dark colours',
};
const icons = { system: 'half', light: 'sun', dark: 'moon' } as const;

/** Steps through system, light and dark; the page changes at once and the cookie keeps the choice. */
export function ThemeToggle({ initial }: { initial: Theme }) {
  const [theme, setTheme] = useState(initial);
  const next = order[(order.indexOf(theme) + 1) % order.length] ?? 'system';

  function choose() {
    document.documentElement.dataset.theme = next;
    document.cookie = `${themeCookie}=${next}; path=/; max-age=31536000; samesite=lax`;
    setTheme(next);
  }

  return (
    <button
      type="button"
      onClick={choose}
      className="icon-button"
      aria-label={`${labels[theme]}. Change to: ${labels[next].toLowerCase()}`}
      title={labels[theme]}
    >
      <Icon name={icons[theme]} />
    </button>
  );
}
