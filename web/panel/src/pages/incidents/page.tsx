import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useMemo, useRef, useState } from 'react';

import { useMay } from '../../session/session.tsx';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { BulkBar } from './bulk.tsx';
import { readFilter } from './filter.ts';
import { Filters } from './filters.tsx';
import { useIncidentList } from './list.ts';
import { ReportDialog } from './report.tsx';
import { Table, type TableHandle } from './table.tsx';
import { useListKeys } from './keys.ts';

/** The list of incidents. */
export default function IncidentsPage() {
  const navigate = useNavigate();
  const search: Record<string, unknown> = useSearch({ strict: false });
  const filter = useMemo(() => readFilter(search), [search]);
  const mayWrite = useMay('incidents.write');
  const table = useRef<TableHandle>(null);
  const list = useIncidentList(filter, () => table.current?.isCalm() ?? true);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const choose = useCallback(
    (id: string, on: boolean) =>
      setChosen((before) => {
        const next = new Set(before);
        if (on) next.add(id);
        else next.delete(id);
        return next;
      }),
    [],
  );
  const report = (open: boolean) =>
    void navigate({ to: '/incidents', search: { ...filter, new: open ? '1' : undefined } as never, replace: !open });
  useListKeys({ list, table, chosen, choose, chooseNone: () => setChosen(new Set()), report: () => report(true) });
  useTitle('Incidents');
  const { come, gone } = list.waiting;
  const words = [come && `${come} new`, gone && `${gone} no longer here`].filter(Boolean).join(', ');
  const admit = () => {
    list.admit();
    table.current?.toTop();
  };
  return (
    <div className="list-page">
      <header className="page-head">
        <h1>Incidents</h1>
        <span className="grow" />
        {mayWrite && (
          <Button look="primary" icon="plus" shortcut="c" onClick={() => report(true)}>
            Report
          </Button>
        )}
      </header>
      <Filters filter={filter} />
      <div className="list">
        <div className="pill-place" role="status">
          {words && (
            <button type="button" className="pill" onClick={admit}>
              {words}
            </button>
          )}
        </div>
        <Table ref={table} list={list} filter={filter} chosen={chosen} onChoose={choose} />
      </div>
      {mayWrite && chosen.size > 0 && <BulkBar chosen={chosen} find={list.find} onDone={() => setChosen(new Set())} />}
      {search.new === '1' && mayWrite && <ReportDialog onClose={() => report(false)} />}
    </div>
  );
}
