const part = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;
const ofDay = new Intl.DateTimeFormat(undefined, { ...part, fractionalSecondDigits: 3 });
const ofOther = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric', ...part });
const ofOtherYear = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric', ...part });
const whole = new Intl.DateTimeFormat(undefined, {
  ...{ year: 'numeric', month: 'short', day: 'numeric', ...part },
  ...{ fractionalSecondDigits: 3, timeZoneName: 'short' },
});

/** The time of today to the millisecond; of other days with the day, which then matters more. */
export function clock(at: string, now = new Date()): string {
  const time = new Date(at);
  if (time.toDateString() === now.toDateString()) return ofDay.format(time);
  return (time.getFullYear() === now.getFullYear() ? ofOther : ofOtherYear).format(time);
}

/** A time to the millisecond with its zone. */
export function wholly(at: string): string {
  return whole.format(new Date(at));
}

/** What the zone of all times shown is called, such as `CET`. */
export function zone(): string {
  return whole.formatToParts(new Date()).find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC';
}

/** A time for a field of type `datetime-local`, in the browser's zone. */
export function toField(time_ms: number): string {
  return new Date(time_ms - new Date(time_ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
