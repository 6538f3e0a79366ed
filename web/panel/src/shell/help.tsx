import { pages } from '../pages/index.ts';
import { Dialog } from '../widgets/dialog.tsx';

const GROUPS = [
  {
    title: 'Everywhere',
    keys: [
      ['Ctrl K or ⌘K', 'Search, go to, do'],
      ['?', 'This help'],
      ...pages.flatMap(({ nav }) => (nav ? [[`g ${nav.key}`, nav.label] as const] : [])),
    ],
  },
  {
    title: 'Lists',
    keys: [
      ['j k', 'Next, previous'],
      ['Enter', 'Open'],
      ['x', 'Choose for an action on several'],
      ['Escape', 'Choose none'],
      ['c', 'Make a new one'],
    ],
  },
  {
    title: 'Logs',
    keys: [
      ['p', 'Pause, follow again'],
      ['.', 'Show what is new'],
    ],
  },
  {
    title: 'Incidents',
    keys: [
      ['e', 'Acknowledge'],
      ['a', 'Assign to me'],
      ['.', 'Show what is new'],
    ],
  },
  {
    title: 'Runbooks and runs',
    keys: [
      ['r', 'Run it, or go on from the step that failed'],
      ['e', 'Edit a runbook'],
      ['c', 'Write a new one; cancel a run'],
      ['a x', 'Approve, reject'],
      ['s', 'Search the output'],
      ['n N', 'Next, previous that was found'],
      ['G', 'To the newest line'],
    ],
  },
] as const;

/** All that the keyboard does. */
export function ShortcutHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <div className="help">
        {GROUPS.map(({ title, keys }) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {keys.map(([key, does]) => (
                <div key={key}>
                  <dt>
                    <kbd>{key}</kbd>
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
