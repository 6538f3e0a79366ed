const PATHS = {
  dashboard: 'M2.5 13.5v-6m4 6v-11m4 11v-8m3 8h-12',
  incidents: 'M8 2 14.5 13.5h-13zM8 6.5v3m0 1.8v.2',
  events: 'M5.5 4h8m-8 4h8m-8 4h8M2.5 4h.1m-.1 4h.1m-.1 4h.1',
  servers: 'M2.5 3h11v4h-11zm0 6h11v4h-11zM5 5h.1M5 11h.1',
  runbooks: 'M3.5 2.5h9v11h-9zM6 5.5h4M6 8h4M6 10.5h2',
  runs: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM6.7 5.6v4.8l3.8-2.4z',
  system: 'M1.5 8.5h3l2-5 3 9.5 2-4.5h3',
  users:
    'M6 3.5a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4zM1.8 13c.3-2.6 1.9-3.6 4.2-3.6s3.9 1 4.2 3.6M10.5 3.8a2.1 2.1 0 0 1 0 3.9m1.4 2c1.4.4 2.2 1.5 2.4 3.3',
  roles: 'M8 2 13 4v4c0 3-2 5-5 6-3-1-5-3-5-6V4zM5.8 8l1.6 1.6 2.8-3.1',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zm3.3 7.8 3.2 3.2',
  plus: 'M8 3v10M3 8h10',
  close: 'm4 4 8 8m0-8-8 8',
  menu: 'M2.5 4.5h11m-11 3.5h11m-11 3.5h11',
  check: 'm3.5 8.5 3 3 6-7',
  chevron: 'm5 6.5 3 3 3-3',
  back: 'm9.5 3.5-4.5 4.5 4.5 4.5',
  comment: 'M2.5 3h11v8h-6l-3 2.5v-2.5h-2z',
  person: 'M8 3a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6zM3.5 13.5c.3-3 2-4.2 4.5-4.2s4.2 1.2 4.5 4.2',
  move: 'M3 8h9m-3.5-3.5L12 8l-3.5 3.5',
  merge: 'M4 3v3c0 2 4 2.5 4 5v2m4-10v3c0 2-4 2.5-4 5',
  edit: 'm10.5 3 2.5 2.5-7.5 7.5h-2.5v-2.5z',
  link: 'M6.5 3.5H3v9.5h9.5V9.5M9 2.5h4.5V7m0-4.5-6 6',
  logs: 'M2.5 3.5h11M2.5 6.5h7m-7 3h9m-9 3h5',
  bell: 'M4 11V7a4 4 0 0 1 8 0v4l1 1.5H3zm2.7 3h2.6',
  filter: 'M2.5 4h11M4.5 8h7M6.5 12h3',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
} as const;

export type IconName = keyof typeof PATHS;

/** A line drawing beside words; alone, its button says what it does. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
