// Before the first paint, so that nobody who chose dark sees a flash of light. A file: the policy allows nothing inline.
try {
  const theme = localStorage.getItem('signalbox.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is switched off: the system's choice it is.
}
