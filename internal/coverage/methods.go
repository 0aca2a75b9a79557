//go:build linux

package main

import "github.com/uring-go/uring/sys"

// registerMethods names what package uring has for each registration: methods of
// Ring, or with a dot in the name of another type, or functions.
var registerMethods = map[sys.RegisterOp][]string{
	sys.IORING_REGISTER_BUFFERS:          {"RegisterBuffers"},
	sys.IORING_UNREGISTER_BUFFERS:        {"UnregisterBuffers"},
	sys.IORING_REGISTER_FILES:            {"RegisterFiles"},
	sys.IORING_UNREGISTER_FILES:          {"UnregisterFiles"},
	sys.IORING_REGISTER_EVENTFD:          {"RegisterEventfd"},
	sys.IORING_UNREGISTER_EVENTFD:        {"UnregisterEventfd"},
	sys.IORING_REGISTER_FILES_UPDATE:     {"UpdateFiles"},
	sys.IORING_REGISTER_EVENTFD_ASYNC:    {"RegisterEventfd"},
	sys.IORING_REGISTER_PROBE:            {"Probe"},
	sys.IORING_REGISTER_PERSONALITY:      {"RegisterPersonality"},
	sys.IORING_UNREGISTER_PERSONALITY:    {"UnregisterPersonality"},
	sys.IORING_REGISTER_RESTRICTIONS:     {"RegisterRestrictions", "RegisterTaskRestrictions"},
	sys.IORING_REGISTER_ENABLE_RINGS:     {"Enable"},
	sys.IORING_REGISTER_FILES2:           {"RegisterFilesTagged", "RegisterFilesSparse"},
	sys.IORING_REGISTER_FILES_UPDATE2:    {"UpdateFiles"},
	sys.IORING_REGISTER_BUFFERS2:         {"RegisterBuffersTagged", "RegisterBuffersSparse"},
	sys.IORING_REGISTER_BUFFERS_UPDATE:   {"UpdateBuffers"},
	sys.IORING_REGISTER_IOWQ_AFF:         {"SetIOWQAffinity"},
	sys.IORING_UNREGISTER_IOWQ_AFF:       {"ClearIOWQAffinity"},
	sys.IORING_REGISTER_IOWQ_MAX_WORKERS: {"IOWQMaxWorkers"},
	sys.IORING_REGISTER_RING_FDS:         {"RegisterRingFd", "TryRegisterRingFd"},
	sys.IORING_UNREGISTER_RING_FDS:       {"UnregisterRingFd"},
	sys.IORING_REGISTER_PBUF_RING:        {"NewBufRing", "NewBufRingConfig"},
	sys.IORING_UNREGISTER_PBUF_RING:      {"BufRing.Close"},
	sys.IORING_REGISTER_SYNC_CANCEL:      {"SyncCancel", "Drain"},
	sys.IORING_REGISTER_FILE_ALLOC_RANGE: {"RegisterFileAllocRange"},
	sys.IORING_REGISTER_PBUF_STATUS:      {"BufRing.Head", "BufRing.Available"},
	sys.IORING_REGISTER_NAPI:             {"RegisterNAPI", "AddNAPI", "RemoveNAPI"},
	sys.IORING_UNREGISTER_NAPI:           {"UnregisterNAPI"},
	sys.IORING_REGISTER_CLOCK:            {"RegisterClock"},
	sys.IORING_REGISTER_CLONE_BUFFERS:    {"CloneBuffers"},
	sys.IORING_REGISTER_SEND_MSG_RING:    {"SendMsg"},
	sys.IORING_REGISTER_ZCRX_IFQ:         {"RegisterZCRX", "NewZCRX"},
	sys.IORING_REGISTER_RESIZE_RINGS:     {"Resize"},
	sys.IORING_REGISTER_MEM_REGION:       {"RegisterMemRegion", "NewWaitRegion"},
	sys.IORING_REGISTER_QUERY:            {"QueryOpcodes", "QueryZCRX", "QueryZCRXEvent", "QuerySCQ"},
	sys.IORING_REGISTER_ZCRX_CTRL:        {"ZCRXCtrl"},
	sys.IORING_REGISTER_BPF_FILTER:       {"RegisterBPFFilter", "RegisterTaskBPFFilter"},
}
