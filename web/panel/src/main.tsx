import './styles/tokens.css';
import './styles/base.css';
import './styles/widgets.css';
import './styles/shell.css';
import './styles/pages.css';

import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { isFinal } from './api.ts';
import { Session } from './session/session.tsx';
import { router } from './shell/router.tsx';
import { Toasts } from './widgets/toasts.tsx';

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // Events say when something is not true any more; time alone does not.
      staleTime: Infinity,
      refetchOnWindowFocus: false,
      retry: (count, error) => !isFinal(error) && count < 3,
    },
  },
});

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Session>
        <RouterProvider router={router} />
      </Session>
      <Toasts />
    </QueryClientProvider>
  </StrictMode>,
);
