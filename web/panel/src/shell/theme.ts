/** The same place as `public/theme.js` reads. */
const PLACE = 'signalbox.theme';
const THEMES = ['system', 'light', 'dark'] as const;

/** Which one it is. */
export function themeWords(): (typeof THEMES)[number] {
  const chosen = document.documentElement.dataset.theme;
  return THEMES.find((theme) => theme === chosen) ?? 'system';
}

/** Changes to the next one and says which. */
export function nextTheme(): (typeof THEMES)[number] {
  const next = THEMES[(THEMES.indexOf(themeWords()) + 1) % THEMES.length]!;
  if (next === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(PLACE, next);
  } catch {
    // Storage is switched off: it holds for this page.
  }
  return next;
}
