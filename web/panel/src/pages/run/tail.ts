import {
  type KeyboardEvent,
  type RefObject,
  type WheelEvent,
  useCallback,
  useLayoutEffect,
  useRef,
  useState,
} from 'react';

import type { Lines } from './lines.ts';

/** Less than this is no scroll: browsers round. In px. */
const SLACK_PX = 2;
/** Keys that scroll up; so does Shift with the space bar. */
const UPWARDS = ['ArrowUp', 'PageUp', 'Home'];

/**
 * Stays at the end while one reads there, and nowhere else.
 *
 * Only a person scrolls up: it goes to the end and never back, and other lines move nothing. So before it goes to the
 * end it looks whether the list is where it was left; if it is higher, somebody took it there, by whatever means, and
 * it stays there. Scrolled down to the end again, it follows again.
 *
 * @param total How many lines there are, loaded or not.
 * @param from Whether it begins at the end.
 */
export function useTail(scroller: RefObject<HTMLElement | null>, lines: Lines, total: number, from: boolean) {
  const [follows, setFollows] = useState(from);
  /** The same, and at once; true also while the end is loaded. */
  const wanted = useRef(from);
  /** Where the list was when it was last looked at, and how high. */
  const seen = useRef({ top: -1, height: Infinity });
  const counted = useRef(total);
  if (follows) counted.current = total;

  const leave = useCallback(() => {
    wanted.current = false;
    setFollows(false);
  }, []);
  const follow = () => {
    wanted.current = true;
    void lines.wantEnd().then(() => wanted.current && setFollows(true));
  };
  const look = () => {
    const { scrollTop: top, scrollHeight, clientHeight } = scroller.current!;
    const { top: before, height } = seen.current;
    seen.current = { top, height: scrollHeight };
    // Whoever was at the end is there, whatever was printed since. A list that became shorter was moved by that.
    const isAtEnd = top + clientHeight > Math.min(height, scrollHeight) - SLACK_PX;
    if (top < before && !isAtEnd) leave();
    if (top > before && isAtEnd && !wanted.current) follow();
  };
  useLayoutEffect(() => {
    look();
    if (!follows || !wanted.current) return;
    scroller.current!.scrollTop = scroller.current!.scrollHeight;
    seen.current.top = scroller.current!.scrollTop;
    void lines.wantEnd();
  });
  const leaveUpwards = () => {
    if (scroller.current!.scrollTop > 0) leave();
  };
  return {
    follows,
    /** Lines that came since one reads elsewhere. */
    news: total - counted.current,
    leave,
    follow,
    scrolled: look,
    // These are told before anything has moved: to go to the end now would stop the browser on its way up.
    wheeled: ({ deltaY }: WheelEvent) => deltaY < 0 && leaveUpwards(),
    pressed: ({ key, shiftKey }: KeyboardEvent) => {
      if (UPWARDS.includes(key) || (key === ' ' && shiftKey)) leaveUpwards();
      // The end may run ahead of the browser's own way to it.
      if (key === 'End') follow();
    },
  };
}
