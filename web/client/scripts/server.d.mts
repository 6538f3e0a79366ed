export const BINARY: string;

export interface Server {
  url: string;
  password: string;
  login(): Promise<{ access_token: string; refresh_token: string; expires_in: number }>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  restart(others?: Record<string, string>): Promise<void>;
  registry(): Promise<EventTypes>;
}

export interface EventTypes {
  items: { name: string; description: string; schema: Record<string, unknown> }[];
}

export function startServer(options?: { settings?: Record<string, string> }): Promise<Server>;
