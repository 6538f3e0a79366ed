import type { EventTypes } from './server.mjs';

export const GENERATED: URL;
export function apiTypes(): Promise<string>;
export function eventTypes(registry: EventTypes): Promise<string>;
