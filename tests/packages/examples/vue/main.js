import { createApp } from 'vue';

import Compose from './Compose.vue';

createApp(Compose).mount('#app');
