/**
 * Follows Signalbox's events. The contract of the stream: openapi/stream.md.
 *
 * The files in the order in which data moves: `stream` opens one and watches it, `frames` reads its bytes, `follow`
 * keeps to it or to `poll`, `journal` takes each event once, `handlers` tell the application. `verdict` decides what
 * follows from an ending, `share` lets one tab do it for all.
 */
export { refreshCookie } from './auth.ts';
export { type Connection, type ConnectOptions, connect } from './connect.ts';
export { type EventName, type EventOf, type Matching, type Pattern, type UnknownEvent, matches } from './event.ts';
export type { Reset } from './follow.ts';
export type { EventData } from './generated/events.ts';
export type { Cursor } from './journal.ts';
export { cursorOf } from './poll.ts';
export type { Report } from './report.ts';
export type { Problem } from './request.ts';
export { type Share, oneStream } from './share.ts';
export type { State, Status } from './status.ts';
export type { OffReason } from './verdict.ts';
export type { World } from './world.ts';
