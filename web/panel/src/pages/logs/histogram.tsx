import 'uplot/dist/uPlot.min.css';

import { accepted, useSSE } from '@signalbox/client/react';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import uPlot from 'uplot';

import { api, wordsOf } from '../../api.ts';
import { axisOf, colourOf, useTheme } from '../../widgets/chart.tsx';
import { Button } from '../../widgets/button.tsx';
import { useNarrow } from '../../widgets/narrow.ts';
import { exactly } from '../../widgets/time.tsx';
import { bars, GROUPS, heights, type Bars } from './bars.ts';
import { type LogsFilter, mayFit, queryOf } from './filter.ts';
import type { Change } from './page.tsx';

/** In px. */
const HEIGHT_PX = 110;
/** Counted again after new lines at most so often. In ms. */
const AGAIN_MS = 2000;
/** Narrower drags were meant to be clicks. In px. */
const DRAG_PX = 4;
/** Zoomed out, a range is so many times as long. */
const OUT = 3;

/** How many lines there are over time, stacked by level; a drag or a click shows those of that time. */
export function Histogram({ filter, change }: { filter: LogsFilter; change: Change }) {
  const counted = useCounts(filter);
  const zoom = (from_s: number, to_s: number) =>
    change({
      since: new Date(from_s * 1000).toISOString(),
      before: new Date(to_s * 1000).toISOString(),
      last: undefined,
    });
  if (counted.isError && !counted.data) {
    return (
      <p className="histogram-foot soft" role="alert">
        Not counted. {wordsOf(counted.error)} <Button onClick={() => void counted.refetch()}>Try again</Button>
      </p>
    );
  }
  if (!counted.data) return <div className="histogram" role="status" aria-label="Counting" />;
  const { total, shown } = counted.data;
  const { bucket_s, times_s, counts } = shown;
  const [from_s, to_s] = [times_s[0] ?? 0, (times_s[times_s.length - 1] ?? 0) + bucket_s];
  const words = GROUPS.map(({ name }, nth) => `${sum(counts[nth]!)} ${name}`);
  return (
    <section className="histogram-place" aria-label="Lines over time">
      <Plot shown={shown} zoom={zoom} label={`${total} lines: ${words.join(', ')}`} />
      <Button
        look="bare"
        title={`A bar is ${barWords(bucket_s)}. Drag over bars to zoom in.`}
        onClick={() => {
          const more_s = ((to_s - from_s) * (OUT - 1)) / 2;
          zoom(from_s - more_s, Math.min(to_s + more_s, Date.now() / 1000 + bucket_s));
        }}
      >
        Zoom out
      </Button>
    </section>
  );
}

const sum = (counts: number[]) => counts.reduce((all, each) => all + each, 0);

const UNITS = [
  [86_400, 'day', 'days'],
  [3600, 'hour', 'hours'],
  [60, 'minute', 'minutes'],
  [1, 'second', 'seconds'],
] as const;

function barWords(bucket_s: number): string {
  const [size, one, many] = UNITS.find(([unit]) => bucket_s >= unit) ?? UNITS[3];
  const count = Math.round(bucket_s / size);
  return count === 1 ? `a ${one}`.replace('a hour', 'an hour') : `${count} ${many}`;
}

/** The counts, asked for again after lines that may be among them. */
function useCounts(filter: LogsFilter) {
  const queries = useQueryClient();
  const buckets = useNarrow() ? 40 : 90;
  const key = ['logs', 'histogram', filter, buckets];
  const again = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(again.current), []);
  useSSE('log.added', ({ data }: { data: Parameters<typeof mayFit>[0] }) => {
    if (!mayFit(data, filter)) return;
    again.current ??= setTimeout(() => {
      again.current = undefined;
      void queries.invalidateQueries({ queryKey: ['logs', 'histogram'] });
    }, AGAIN_MS);
  });
  return useQuery({
    queryKey: key,
    gcTime: 0,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const now_ms = Date.now();
      const asked = queryOf(filter, now_ms);
      // The server would take a day; all time begins with the oldest line that fits.
      const since = asked.since ?? (await oldest(asked, signal)) ?? new Date(now_ms - 86_400_000).toISOString();
      const before = asked.before ?? new Date(now_ms).toISOString();
      const query = { ...asked, since, before, buckets };
      const { items, bucket_s, total } = accepted(
        await api.GET('/api/v1/logs/histogram', { params: { query }, signal }),
      );
      return { total, shown: bars(items, bucket_s, Date.parse(since) / 1000, Date.parse(before) / 1000) };
    },
  });
}

async function oldest(asked: ReturnType<typeof queryOf>, signal: AbortSignal): Promise<string | undefined> {
  const query = { ...asked, order: 'at' as const, limit: 1 };
  return accepted(await api.GET('/api/v1/logs', { params: { query }, signal })).items[0]?.at;
}

function Plot({ shown, zoom, label }: { shown: Bars; zoom: (from_s: number, to_s: number) => void; label: string }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const newest = useRef({ shown, zoom });
  newest.current = { shown, zoom };
  const theme = useTheme();
  const data = useMemo(() => [shown.times_s, ...heights(shown.counts)], [shown]) as uPlot.AlignedData;
  useEffect(() => {
    const element = place.current!;
    const drawn = new uPlot(optionsOf(element, newest), data, element);
    plot.current = drawn;
    drawn.over.addEventListener('click', () => {
      const { shown, zoom } = newest.current;
      const at_s = drawn.posToVal(drawn.cursor.left ?? 0, 'x');
      const from_s = Math.floor(at_s / shown.bucket_s) * shown.bucket_s;
      zoom(from_s, from_s + shown.bucket_s);
    });
    const sized = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    sized.observe(element);
    return () => {
      sized.disconnect();
      drawn.destroy();
    };
    // Counts are set below; only other colours need another plot.
  }, [theme]);
  useEffect(() => plot.current?.setData(data), [data]);
  return <div ref={place} className="chart histogram" role="img" aria-label={label} />;
}

function optionsOf(
  element: HTMLElement,
  newest: { current: { shown: Bars; zoom: (from_s: number, to_s: number) => void } },
): uPlot.Options {
  const axis = axisOf(element);
  const paths = uPlot.paths.bars!({ size: [0.86, 28], align: 1 });
  // Of the bar under the pointer; without one, of all.
  const asked = (idx: number | null, nth: number) => {
    const counts = newest.current.shown.counts[nth]!;
    return (idx === null ? sum(counts) : (counts[idx] ?? 0)).toLocaleString();
  };
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    padding: [6, 0, 0, 0],
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
      // The bar under the pointer, which begins before it, not the nearest beginning.
      dataIdx: (plot, _series, nearest, time) => ((plot.data[0][nearest] ?? 0) > time ? nearest - 1 : nearest),
    },
    scales: {
      x: {
        range: () => {
          const { times_s, bucket_s } = newest.current.shown;
          return [times_s[0] ?? 0, (times_s[times_s.length - 1] ?? 0) + bucket_s];
        },
      },
      y: { range: (_, _min, max) => [0, Math.max(4, max)] },
    },
    axes: [
      { ...axis, space: 70, size: 26, values: (plot, times) => times.map((time) => tick(time, plot.scales.x!)) },
      { ...axis, size: 44, space: 26, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6] },
    ],
    series: [
      {
        label: 'Lines',
        value: (_, time) => {
          const { bucket_s, counts } = newest.current.shown;
          if (time != null) return exactly(time * 1000);
          return `${sum(counts.map(sum)).toLocaleString()}, a bar is ${barWords(bucket_s)}, drag to zoom`;
        },
      },
      // The highest first: each hides what the next ones stand for.
      ...GROUPS.map((_, nth) => GROUPS.length - 1 - nth).map((nth) => {
        const { name, colour } = GROUPS[nth]!;
        const fill = colourOf(element, colour);
        const value = (_: uPlot, _v: number, _s: number, idx: number | null) => asked(idx ?? null, nth);
        return { label: name, fill, stroke: fill, width: 0, paths, points: { show: false }, value };
      }),
    ],
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width >= DRAG_PX) newest.current.zoom(plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x'));
          if (width > 0) plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

/** As much of a time as tells the ticks of a scale apart. */
function tick(
  time_s: number,
  { min = 0, max = 0 }: { min?: number | null | undefined; max?: number | null | undefined },
): string {
  const time = new Date(time_s * 1000);
  const span_s = (max ?? 0) - (min ?? 0);
  const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  if (span_s <= 600) return time.toLocaleTimeString(undefined, { ...clock, second: '2-digit' });
  if (span_s > 86_400 * 300) return time.toLocaleDateString(undefined, { year: 'numeric', month: 'short' });
  const isDay = time.getHours() === 0 && time.getMinutes() === 0;
  return isDay || span_s > 86_400 * 4
    ? time.toLocaleDateString(undefined, { month: 'short', day: 'numeric' })
    : time.toLocaleTimeString(undefined, clock);
}
