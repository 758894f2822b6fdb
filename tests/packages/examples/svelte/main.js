import { mount } from 'svelte';

import Compose from './Compose.svelte';

mount(Compose, { target: document.querySelector('#app') });
