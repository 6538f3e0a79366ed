/** What React needs of a connection: state, events, TanStack Query kept current, and commands that feel instant. */
export { ConnectionStatus, type ConnectionStatusProps } from './connection_status.tsx';
export { ConnectionProvider, useConnection, useConnectionStatus } from './context.tsx';
export { CommandRefused, type OptimisticCommand, accepted, useOptimisticCommand } from './optimistic_command.ts';
export { type Rule, type Rules, bindQueries, rule, useQueryEvents } from './queries.ts';
export { useSSE } from './use_sse.ts';
