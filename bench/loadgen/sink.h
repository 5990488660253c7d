#ifndef SINK_H
#define SINK_H
void run_sink(void);
#endif
