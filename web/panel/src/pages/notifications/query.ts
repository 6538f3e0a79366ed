import { accepted, rule } from '@signalbox/client/react';

import { api, type Schemas } from '../../api.ts';

export type Channel = Schemas['NotificationChannel'];
export type Rule = Schemas['NotificationRule'];
export type Delivery = Schemas['NotificationDelivery'];

export const channelsKey = ['notifications', 'channels'] as const;
export const rulesKey = ['notifications', 'rules'] as const;
export const channelKey = (id: string) => ['notifications', 'channel', id] as const;
export const deliveriesKey = (id: string) => ['notifications', 'deliveries', id] as const;

interface Asked {
  signal: AbortSignal;
}

export const channelsQuery = {
  queryKey: channelsKey,
  queryFn: async ({ signal }: Asked) => accepted(await api.GET('/api/v1/notification-channels', { signal })).items,
};

export const rulesQuery = {
  queryKey: rulesKey,
  queryFn: async ({ signal }: Asked) => accepted(await api.GET('/api/v1/notification-rules', { signal })).items,
};

export const channelQuery = (id: string) => ({
  queryKey: channelKey(id),
  queryFn: async ({ signal }: Asked) =>
    accepted(await api.GET('/api/v1/notification-channels/{channel}', { params: { path: { channel: id } }, signal })),
});

/** Channels and rules change seldom: they are loaded again. So is what became of deliveries, channel by channel. */
export const notificationRules = [
  rule('notification.channel.*', {
    invalidate: ({ stream }) => {
      const id = stream.slice('notification-channel/'.length);
      return [channelsKey, channelKey(id), deliveriesKey(id)];
    },
  }),
  rule('notification.rule.*', { invalidate: () => [rulesKey] }),
  rule('notification.sent', { invalidate: ({ data }) => [deliveriesKey(data.channel)] }),
  rule('notification.failed', { invalidate: ({ data }) => [deliveriesKey(data.channel)] }),
];

/** The position of the newest event. */
export async function newest(signal: AbortSignal): Promise<number> {
  const { response } = await api.GET('/api/v1/event-types', { signal });
  return Number(response.headers.get('signalbox-seq') ?? 0);
}
