import { useEffect, useRef } from 'react';

import { TextArea } from '../../widgets/field.tsx';

/** Characters shown before and behind the one that does not fit. */
const AROUND_CHARS = 28;

/** Where a text goes wrong, as the server says it: `at character 17: expected a value`. */
export function placeOf(fault: string | undefined, text: string) {
  const [, position, message] = /^at character (\d+): (.*)$/s.exec(fault ?? '') ?? [];
  if (!position) return undefined;
  // The server counts characters, JavaScript the halves of some.
  const chars = [...text];
  const at = Math.min(Number(position) - 1, chars.length);
  const part = (from: number, to: number) => chars.slice(Math.max(0, from), Math.max(0, to)).join('');
  return {
    message: message!,
    start: part(0, at).length,
    end: part(0, at + 1).length,
    before: part(at - AROUND_CHARS, at),
    char: chars[at] ?? '',
    after: part(at + 1, at + 1 + AROUND_CHARS),
  };
}

/** The condition of a rule. What is wrong is shown at its place, and chosen in the field. */
export function ConditionField({ value, fault, sent }: { value: string; fault: string | undefined; sent: string }) {
  const field = useRef<HTMLDivElement>(null);
  const place = placeOf(fault, sent);
  useEffect(() => {
    const area = field.current?.querySelector('textarea');
    if (!place || !area) return;
    area.focus();
    area.setSelectionRange(place.start, place.end);
  }, [fault, sent]);
  return (
    <div ref={field} className="condition">
      <TextArea
        label="Condition"
        name="condition"
        className="input mono"
        rows={3}
        spellCheck={false}
        defaultValue={value}
        maxLength={1000}
        placeholder={'data.severity in ["P0", "P1"]'}
        hint="Empty: every event of these types"
        fault={
          place ? (
            <>
              {place.message}: <code>{place.before}</code>
              <mark>{place.char || 'the end'}</mark>
              <code>{place.after}</code>
            </>
          ) : (
            fault
          )
        }
      />
      <Help />
    </div>
  );
}

const EXAMPLES = [
  ['data.severity == "P0"', 'a fact of the event; the event log shows what there is'],
  ['data.severity in ["P0", "P1"]', 'one of several'],
  ['data.title contains "disk"', 'a part of a text, or an element of a list'],
  ['actor.name != "import" && !(data.new == "closed")', '&& binds tighter than ||, ! tightest'],
  ['data.latency_ms >= 500', 'numbers, texts and times: < <= > >='],
  ['data.labels["team/name"] == null', 'null is a fact that is not there'],
] as const;

function Help() {
  return (
    <details className="condition-help">
      <summary>The language</summary>
      <dl>
        {EXAMPLES.map(([example, means]) => (
          <div key={example}>
            <dt>
              <code>{example}</code>
            </dt>
            <dd>{means}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
