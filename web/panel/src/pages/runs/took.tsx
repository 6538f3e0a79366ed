import { useEffect, useState } from 'react';

import { duration } from '../../widgets/time.tsx';

/** How long something took, or takes: then it counts. Not begun, it says nothing. */
export function Took({ from, to }: { from?: string | null | undefined; to?: string | null | undefined }) {
  const [now_ms, setNow] = useState(Date.now);
  const runs = Boolean(from) && !to;
  useEffect(() => {
    if (!runs) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [runs]);
  if (!from) return null;
  const took_ms = Math.max(0, (to ? Date.parse(to) : now_ms) - Date.parse(from));
  return <span className="took">{to && took_ms < 1000 ? `${took_ms} ms` : duration(took_ms / 1000)}</span>;
}
