import { useEffect, useRef } from 'react';

/** How long a change can be seen to have happened. In ms. */
const GLOW_MS = 1800;

/** Lets an element glow briefly when a value changes, and at once when it is new to the page. */
export function useGlow<Element extends HTMLElement>(value: unknown, fresh = false) {
  const element = useRef<Element>(null);
  const before = useRef(fresh ? undefined : value);
  useEffect(() => {
    const isFirst = before.current === undefined && !fresh;
    if (value !== before.current && !isFirst) glow(element.current);
    before.current = value;
  }, [value, fresh]);
  return element;
}

function glow(element: HTMLElement | null) {
  if (!element || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  const colour = getComputedStyle(element).getPropertyValue('--glow');
  element.animate([{ backgroundColor: colour }, { backgroundColor: 'transparent' }], {
    duration: GLOW_MS,
    easing: 'ease-out',
  });
}
