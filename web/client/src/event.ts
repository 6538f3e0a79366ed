import type { EventData } from './generated/events.ts';
import type { components } from './generated/openapi.ts';

/** The registered types of events. */
export type EventName = keyof EventData;

type Envelope = Omit<components['schemas']['Event'], 'type' | 'data'>;

/** An event of one registered type; of any of them, a union told apart by `type`. */
export type EventOf<Name extends EventName = EventName> = {
  [Each in Name]: Envelope & { type: Each; data: EventData[Each] };
}[Name];

/** An event of a type that this version does not know, such as one registered at run time. */
export type UnknownEvent = Envelope & { type: string; data: unknown };

/** A type's name, a family such as `incident.*`, or `*` for all. */
export type Pattern = EventName | Families<EventName> | '*';

type Families<Name extends string> = Name extends `${infer Head}.${infer Rest}`
  ? `${Head}.*` | `${Head}.${Families<Rest>}`
  : never;

/** What a handler of a pattern is given. */
export type Matching<P extends string> = P extends EventName
  ? EventOf<P>
  : P extends '*'
    ? EventOf
    : P extends `${infer Family}.*`
      ? Extract<EventOf, { type: `${Family}.${string}` }> extends never
        ? UnknownEvent
        : Extract<EventOf, { type: `${Family}.${string}` }>
      : UnknownEvent;

/** Whether a type's name is of a pattern; the same rule as the server's. */
export function matches(pattern: string, type: string): boolean {
  return pattern === '*' || pattern === type || (pattern.endsWith('.*') && type.startsWith(pattern.slice(0, -1)));
}
