import { createRoot } from 'react-dom/client';

import { Compose } from './Compose.jsx';

createRoot(document.querySelector('#app')).render(<Compose />);
