import { type KeyboardEvent, type Ref, useImperativeHandle, useRef } from 'react';

/** Something that is wrong, and on which line, from 0. */
export interface Problem {
  line?: number;
  pointer?: string;
  message: string;
}

export interface EditorHandle {
  focus: () => void;
  /** Puts the cursor on a line. */
  toLine: (line: number) => void;
}

/** A text with its lines numbered, and what is wrong beside the line. It is as long as its text: the page scrolls. */
export function Editor(props: {
  ref: Ref<EditorHandle>;
  text: string;
  problems: readonly Problem[];
  onChange: (text: string) => void;
  onSubmit: () => void;
}) {
  const { ref, text, problems, onChange, onSubmit } = props;
  const area = useRef<HTMLTextAreaElement>(null);
  const lines = text.split('\n');
  const wrong = new Map(problems.map(({ line, message }) => [line, message]));
  useImperativeHandle(ref, () => ({
    focus: () => area.current?.focus(),
    toLine(line) {
      const element = area.current;
      if (!element) return;
      const start = lines.slice(0, line).reduce((sum, { length }) => sum + length + 1, 0);
      element.focus({ preventScroll: true });
      element.setSelectionRange(start, start + (lines[line]?.length ?? 0));
      element.parentElement?.querySelector(`[data-line="${line}"]`)?.scrollIntoView({ block: 'center' });
    },
  }));
  const press = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    onSubmit();
  };
  return (
    <div className="editor">
      <div className="editor-numbers" aria-hidden="true">
        {lines.map((_, line) => (
          <span key={line} data-line={line} data-wrong={wrong.has(line) || undefined} title={wrong.get(line)}>
            {line + 1}
          </span>
        ))}
      </div>
      <textarea
        ref={area}
        className="editor-text"
        aria-label="The runbook as JSON"
        aria-invalid={problems.length > 0 || undefined}
        spellCheck={false}
        autoCapitalize="off"
        wrap="off"
        rows={lines.length}
        value={text}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={press}
      />
    </div>
  );
}
