import { Button } from '../../widgets/button.tsx';

/** A list scrolled less than this is at its top. In px. */
const TOP_PX = 8;

/** Whether rows of a list may move: at the top, without pointer or focus on it. */
export function isCalm(list: HTMLElement | null): boolean {
  return !list || (list.scrollTop < TOP_PX && !list.matches(':hover') && !list.matches(':focus-within'));
}

/** The end of what is loaded, and the rest. */
export function More(props: {
  list: {
    hasNextPage: boolean;
    isFetchingNextPage: boolean;
    isFetchNextPageError: boolean;
    fetchNextPage: () => unknown;
  };
}) {
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = props.list;
  if (!hasNextPage) return null;
  return (
    <p className="list-foot soft">
      {isFetchNextPageError && 'More could not be loaded. '}
      <Button disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
        {isFetchingNextPage ? 'Loading …' : 'More'}
      </Button>
    </p>
  );
}
