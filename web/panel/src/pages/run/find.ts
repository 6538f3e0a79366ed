import { accepted } from '@signalbox/client/react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { api } from '../../api.ts';

/** Lines of one answer, the most there are. */
const PAGE_LINES = 1000;
/** While a run prints, what is searched for is looked for again this often. In ms. */
const AGAIN_MS = 3000;

/** The numbers of the lines that hold a text; the server looks, because most lines are not here. */
export function useFound(id: string, words: string, isOver: boolean) {
  const found = useInfiniteQuery({
    queryKey: ['run lines', id, words],
    enabled: words !== '',
    gcTime: 0,
    refetchInterval: isOver ? false : AGAIN_MS,
    initialPageParam: 1,
    getNextPageParam: ({ next }: { next: number | undefined }) => next,
    queryFn: async ({ pageParam, signal }) => {
      const params = { path: { execution: id }, query: { q: words, from: pageParam, limit: PAGE_LINES } };
      const { items } = accepted(await api.GET('/api/v1/executions/{execution}/lines', { params, signal }));
      const numbers = items.map(({ number }) => number);
      const last = numbers[numbers.length - 1];
      return { numbers, next: last !== undefined && numbers.length === PAGE_LINES ? last + 1 : undefined };
    },
  });
  const numbers = useMemo(() => found.data?.pages.flatMap((page) => page.numbers) ?? [], [found.data]);
  return { ...found, numbers };
}

/** Which of the numbers found is the next one from a line on, forwards or backwards, round and round. */
export function nextFound(numbers: readonly number[], from: number, by: 1 | -1): number | undefined {
  if (by === 1) return numbers.find((number) => number > from) ?? numbers[0];
  return numbers.findLast((number) => number < from) ?? numbers[numbers.length - 1];
}
