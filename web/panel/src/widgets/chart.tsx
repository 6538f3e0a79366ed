import 'uplot/dist/uPlot.min.css';

import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';

/** In px. */
const HEIGHT_PX = 220;

/** One line of a chart. */
export interface Line {
  name: string;
  /** A custom property of the style sheet. */
  colour: string;
  values: number[];
}

/** Lines over time. New values are drawn without a flicker; a click says which time was meant. */
export function Chart(props: {
  label: string;
  times_s: number[];
  lines: Line[];
  /** The end of the scale, where it has one, such as 100 %. */
  most?: number;
  /** The length of the time scale, which ends now; by default, that of the values. In s. */
  span_s?: number;
  onPick?: (index: number) => void;
}) {
  const { label, times_s, lines, most, span_s, onPick } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const pick = useRef(onPick);
  pick.current = onPick;
  const theme = useTheme();
  const shape = lines.map(({ name, colour }) => `${name} ${colour}`).join();
  useEffect(() => {
    const element = place.current!;
    const drawn = new uPlot(
      optionsOf(lines, element, most, span_s),
      [times_s, ...lines.map(({ values }) => values)],
      element,
    );
    plot.current = drawn;
    const click = () => {
      if (typeof drawn.cursor.idx === 'number') pick.current?.(drawn.cursor.idx);
    };
    drawn.over.addEventListener('click', click);
    const sized = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    sized.observe(element);
    return () => {
      sized.disconnect();
      drawn.destroy();
    };
    // Values are set below; only other lines or colours need another chart.
  }, [shape, theme]);
  useEffect(() => plot.current?.setData([times_s, ...lines.map(({ values }) => values)]), [times_s, lines]);
  return <div ref={place} className="chart" data-picks={onPick ? '' : undefined} role="img" aria-label={label} />;
}

function optionsOf(lines: Line[], element: HTMLElement, most?: number, span_s?: number): uPlot.Options {
  const axis = axisOf(element);
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    cursor: { y: false, points: { size: 7 } },
    scales: {
      ...(span_s === undefined ? {} : { x: { range: () => [Date.now() / 1000 - span_s, Date.now() / 1000] } }),
      y: { range: (_, _min, max) => [0, most ?? Math.max(4, Math.ceil(max * 1.1))] },
    },
    axes: [
      { ...axis, space: 70, values: (_, times) => times.map(hourOrDay) },
      { ...axis, size: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000] },
    ],
    series: [
      {
        label: 'Time',
        value: (_, time) => (time == null ? '–' : new Date(time * 1000).toLocaleString(undefined, HOUR)),
      },
      ...lines.map(({ name, colour: line }) => ({
        label: name,
        stroke: colourOf(element, line),
        width: 1.75,
        value: (_: uPlot, value: number | null) => (value == null ? '–' : String(Math.round(value * 10) / 10)),
      })),
    ],
  };
}

/** A colour of the style sheet where the element is. */
export function colourOf(element: HTMLElement, name: string): string {
  // light-dark() is for style sheets; a canvas wants the colour that came of it.
  const probe = element.ownerDocument.createElement('i');
  probe.style.color = `var(${name})`;
  element.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** How the axes of all charts look. */
export function axisOf(element: HTMLElement): uPlot.Axis {
  return {
    stroke: colourOf(element, '--soft'),
    grid: { stroke: colourOf(element, '--line'), width: 1 },
    ticks: { show: false },
    font: `11px ${getComputedStyle(element).fontFamily}`,
  };
}

/** The hour; at midnight the day. */
function hourOrDay(time_s: number): string {
  const time = new Date(time_s * 1000);
  const isDay = time.getHours() === 0 && time.getMinutes() === 0;
  return isDay
    ? time.toLocaleDateString(undefined, { month: 'short', day: 'numeric' })
    : time.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
}

const HOUR = { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;

/** Changes when the theme does, be it by the user or by the system. */
export function useTheme(): string {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const read = () => `${document.documentElement.dataset.theme ?? ''} ${dark.matches}`;
  const [theme, setTheme] = useState(read);
  useEffect(() => {
    const look = () => setTheme(read());
    const seen = new MutationObserver(look);
    seen.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    dark.addEventListener('change', look);
    return () => {
      seen.disconnect();
      dark.removeEventListener('change', look);
    };
  });
  return theme;
}
